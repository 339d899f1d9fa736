{{
  config(
    materialized='partitions',
    tags=['dims'],
    meta={'table': 'quarantine/product_catalog', 'order_by': []}
  )
}}

{{
  put_aside(
    'product_catalog',
    bronze=source('bronze', 'product_catalog'),
    scored=ref('int_product_catalog_scored')
  )
}}
