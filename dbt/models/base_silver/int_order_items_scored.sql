{{ config(materialized='table', tags=['base_silver']) }}

{{
  verdicts(
    'order_items',
    bronze=source('bronze', 'order_items'),
    parents={
      'orders': ref('stg_orders'),
      'product_catalog': ref('keys_product_catalog')
    },
    history={
      'order_items': source('history', 'order_items'),
      'orders': source('history', 'orders')
    }
  )
}}
