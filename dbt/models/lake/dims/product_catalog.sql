select * from {{ ref('stg_product_catalog') }}
