{{
  config(
    materialized='partitions',
    tags=['dims'],
    meta={'table': 'dims/product_catalog', 'order_by': ['product_id']}
  )
}}

-- depends_on: {{ ref('int_product_catalog_scored') }}
{{ accepted('product_catalog') }}
