{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'quarantine/return_items', 'order_by': []}
  )
}}

{{
  put_aside(
    'return_items',
    bronze=source('bronze', 'return_items'),
    scored=ref('int_return_items_scored')
  )
}}
