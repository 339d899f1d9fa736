{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'quarantine/cart_items', 'order_by': []}
  )
}}

{{
  put_aside(
    'cart_items',
    bronze=source('bronze', 'cart_items'),
    scored=ref('int_cart_items_scored')
  )
}}
