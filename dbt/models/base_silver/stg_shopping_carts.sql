{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'base/shopping_carts', 'order_by': ['cart_id']}
  )
}}

{{
  accepted(
    'shopping_carts',
    bronze=source('bronze', 'shopping_carts'),
    scored=ref('int_shopping_carts_scored')
  )
}}
