{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'base/return_items', 'order_by': ['return_id', 'return_item_id']}
  )
}}

-- depends_on: {{ ref('int_return_items_scored') }}
{{ accepted('return_items') }}
