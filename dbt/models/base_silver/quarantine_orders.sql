{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'quarantine/orders', 'order_by': []}
  )
}}

{{
  put_aside(
    'orders',
    bronze=source('bronze', 'orders'),
    scored=ref('int_orders_scored')
  )
}}
