{{
  config(
    materialized='partitions',
    tags=['dims'],
    meta={'table': 'quarantine/customers', 'order_by': []}
  )
}}

-- depends_on: {{ ref('int_customers_scored') }}
{{ put_aside('customers') }}
