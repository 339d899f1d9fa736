{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'base/returns', 'order_by': ['return_id']}
  )
}}

{{
  accepted(
    'returns',
    bronze=source('bronze', 'returns'),
    scored=ref('int_returns_scored')
  )
}}
