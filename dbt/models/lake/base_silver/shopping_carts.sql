select * from {{ ref('stg_shopping_carts') }}
