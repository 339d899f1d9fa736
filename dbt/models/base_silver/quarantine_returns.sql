{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'quarantine/returns', 'order_by': []}
  )
}}

-- depends_on: {{ ref('int_returns_scored') }}
{{ put_aside('returns') }}
