{{ config(materialized='table', tags=['base_silver']) }}

{{
  verdicts(
    'return_items',
    bronze=source('bronze', 'return_items'),
    parents={
      'returns': ref('stg_returns'),
      'orders': ref('stg_orders'),
      'product_catalog': ref('keys_product_catalog')
    },
    history={
      'return_items': source('history', 'return_items'),
      'returns': source('history', 'returns'),
      'orders': source('history', 'orders')
    }
  )
}}
