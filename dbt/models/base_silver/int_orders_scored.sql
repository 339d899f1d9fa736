{{ config(materialized='table', tags=['base_silver']) }}

{{
  verdicts(
    'orders',
    bronze=source('bronze', 'orders'),
    parents={
      'customers': ref('keys_customers')
    },
    history={
      'orders': source('history', 'orders')
    }
  )
}}
