{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'base/order_items', 'order_by': ['order_id', 'product_id']}
  )
}}

{{
  accepted(
    'order_items',
    bronze=source('bronze', 'order_items'),
    scored=ref('int_order_items_scored')
  )
}}
