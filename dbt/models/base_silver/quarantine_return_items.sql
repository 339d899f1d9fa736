{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'quarantine/return_items', 'order_by': []}
  )
}}

-- depends_on: {{ ref('int_return_items_scored') }}
{{ put_aside('return_items') }}
