{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'base/return_items', 'order_by': ['return_id', 'return_item_id']}
  )
}}

{{
  accepted(
    'return_items',
    bronze=source('bronze', 'return_items'),
    scored=ref('int_return_items_scored')
  )
}}
