{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'quarantine/shopping_carts', 'order_by': []}
  )
}}

{{
  put_aside(
    'shopping_carts',
    bronze=source('bronze', 'shopping_carts'),
    scored=ref('int_shopping_carts_scored')
  )
}}
