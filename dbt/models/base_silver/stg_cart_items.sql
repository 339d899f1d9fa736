{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'base/cart_items', 'order_by': ['cart_id', 'cart_item_id']}
  )
}}

{{
  accepted(
    'cart_items',
    bronze=source('bronze', 'cart_items'),
    scored=ref('int_cart_items_scored')
  )
}}
