{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'base/returns', 'order_by': ['return_id']}
  )
}}

-- depends_on: {{ ref('int_returns_scored') }}
{{ accepted('returns') }}
