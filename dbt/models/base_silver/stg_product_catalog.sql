{{
  config(
    materialized='partitions',
    tags=['dims'],
    meta={'table': 'dims/product_catalog', 'order_by': ['product_id']}
  )
}}

{{
  accepted(
    'product_catalog',
    bronze=source('bronze', 'product_catalog'),
    scored=ref('int_product_catalog_scored')
  )
}}
