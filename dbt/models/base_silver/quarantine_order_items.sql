{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'quarantine/order_items', 'order_by': []}
  )
}}

{{
  put_aside(
    'order_items',
    bronze=source('bronze', 'order_items'),
    scored=ref('int_order_items_scored')
  )
}}
