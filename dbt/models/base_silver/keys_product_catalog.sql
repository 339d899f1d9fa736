{{
  config(
    materialized='partitions',
    tags=['dims'],
    meta={'table': 'keys/product_catalog', 'order_by': ['product_id']}
  )
}}

{{
  known_keys(
    'product_catalog',
    bronze=source('bronze', 'product_catalog'),
    known=source('known_keys', 'product_catalog')
  )
}}
