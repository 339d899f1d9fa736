{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'quarantine/shopping_carts', 'order_by': []}
  )
}}

-- depends_on: {{ ref('int_shopping_carts_scored') }}
{{ put_aside('shopping_carts') }}
