{{
  config(
    materialized='partitions',
    tags=['dims'],
    meta={'table': 'quarantine/customers', 'order_by': []}
  )
}}

{{
  put_aside(
    'customers',
    bronze=source('bronze', 'customers'),
    scored=ref('int_customers_scored')
  )
}}
