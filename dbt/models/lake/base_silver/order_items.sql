select * from {{ ref('stg_order_items') }}
