with

products as (

  select * from {{ ref('product_catalog') }}

),

seen as (

  select product_id from {{ ref('order_items') }}
  union distinct
  select product_id from {{ ref('cart_items') }}
  union distinct
  select product_id from {{ ref('return_items') }}

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
