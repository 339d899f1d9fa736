{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'base/orders', 'order_by': ['order_id']}
  )
}}

-- depends_on: {{ ref('int_orders_scored') }}
{{ accepted('orders') }}
