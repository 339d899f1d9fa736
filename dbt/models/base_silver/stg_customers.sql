{{
  config(
    materialized='partitions',
    tags=['dims'],
    meta={'table': 'dims/customers', 'order_by': ['customer_id']}
  )
}}

-- depends_on: {{ ref('int_customers_scored') }}
{{ accepted('customers') }}
