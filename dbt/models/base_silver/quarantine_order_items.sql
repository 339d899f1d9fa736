{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'quarantine/order_items', 'order_by': []}
  )
}}

-- depends_on: {{ ref('int_order_items_scored') }}
{{ put_aside('order_items') }}
