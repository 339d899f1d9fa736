{{
  config(
    materialized='partitions',
    tags=['dims'],
    meta={'table': 'quarantine/product_catalog', 'order_by': []}
  )
}}

-- depends_on: {{ ref('int_product_catalog_scored') }}
{{ put_aside('product_catalog') }}
