{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'base/order_items', 'order_by': ['order_id', 'product_id']}
  )
}}

-- depends_on: {{ ref('int_order_items_scored') }}
{{ accepted('order_items') }}
