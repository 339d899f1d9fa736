{{ config(materialized='table', tags=['base_silver']) }}

{{
  verdicts(
    'returns',
    bronze=source('bronze', 'returns'),
    parents={
      'orders': ref('stg_orders'),
      'customers': ref('keys_customers')
    },
    history={
      'returns': source('history', 'returns'),
      'orders': source('history', 'orders')
    }
  )
}}
