select * from {{ ref('stg_cart_items') }}
