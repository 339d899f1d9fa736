{{ config(materialized='table', tags=['base_silver']) }}

{{
  verdicts(
    'cart_items',
    bronze=source('bronze', 'cart_items'),
    parents={
      'shopping_carts': ref('stg_shopping_carts'),
      'product_catalog': ref('keys_product_catalog')
    },
    history={
      'cart_items': source('history', 'cart_items'),
      'shopping_carts': source('history', 'shopping_carts')
    }
  )
}}
