{{
  config(
    materialized='partitions',
    tags=['dims'],
    meta={'table': 'keys/customers', 'order_by': ['customer_id']}
  )
}}

{{
  known_keys(
    'customers',
    bronze=source('bronze', 'customers'),
    known=source('known_keys', 'customers')
  )
}}
