{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'base/orders', 'order_by': ['order_id']}
  )
}}

{{
  accepted(
    'orders',
    bronze=source('bronze', 'orders'),
    scored=ref('int_orders_scored')
  )
}}
