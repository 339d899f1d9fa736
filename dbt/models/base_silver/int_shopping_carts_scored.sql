{{ config(materialized='table', tags=['base_silver']) }}

{{
  verdicts(
    'shopping_carts',
    bronze=source('bronze', 'shopping_carts'),
    parents={
      'customers': ref('keys_customers')
    },
    history={
      'shopping_carts': source('history', 'shopping_carts')
    }
  )
}}
