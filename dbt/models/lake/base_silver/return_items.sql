select * from {{ ref('stg_return_items') }}
