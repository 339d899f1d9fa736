{{
  config(
    materialized='partitions',
    tags=['dims'],
    meta={'table': 'dims/customers', 'order_by': ['customer_id']}
  )
}}

{{
  accepted(
    'customers',
    bronze=source('bronze', 'customers'),
    scored=ref('int_customers_scored')
  )
}}
