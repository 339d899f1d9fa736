{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'quarantine/cart_items', 'order_by': []}
  )
}}

-- depends_on: {{ ref('int_cart_items_scored') }}
{{ put_aside('cart_items') }}
