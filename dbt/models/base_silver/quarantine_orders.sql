{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'quarantine/orders', 'order_by': []}
  )
}}

-- depends_on: {{ ref('int_orders_scored') }}
{{ put_aside('orders') }}
