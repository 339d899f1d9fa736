{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'quarantine/returns', 'order_by': []}
  )
}}

{{
  put_aside(
    'returns',
    bronze=source('bronze', 'returns'),
    scored=ref('int_returns_scored')
  )
}}
