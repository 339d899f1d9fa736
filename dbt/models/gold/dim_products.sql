with

products as (

  select * from {{ ref('product_catalog') }}

),

seen as (

  select product_id from {{ ref('order_items') }}
  where {{ is_read('base_silver.order_items') }}
  union distinct
  select product_id from {{ ref('cart_items') }}
  where {{ is_read('base_silver.cart_items') }}
  union distinct
  select product_id from {{ ref('return_items') }}
  where {{ is_read('base_silver.return_items') }}

),

final as (

  select

    ---------- ids
    product_id,

    ---------- attributes
    products.product_name,
    products.category,
    products.unit_price,
    products.cost_price,
    products.inventory_quantity

  from products
  full outer join seen using (product_id)

)

select * from final
