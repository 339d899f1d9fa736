{{ by_day() }}

with

shipping as (

  select * from {{ source('enriched', 'shipping_economics') }}
  where {{ is_read('enriched.shipping_economics') }}

),

summed as (

  select
    ingestion_dt,
    shipping_speed,
    order_channel,
    count(*) as orders,
    {{ total("shipping_cost") }} as shipping_revenue,
    {{ total("actual_shipping_cost") }} as shipping_expense,
    {{ total("shipping_margin") }} as shipping_margin,
    {{ count_where("is_subsidised") }} as subsidised_orders

  from shipping
  group by ingestion_dt, shipping_speed, order_channel

),

final as (

  select
    {{ built_day('ingestion_dt') }} as ingestion_dt,
    shipping_speed,
    order_channel,
    orders,
    shipping_revenue,
    shipping_expense,
    shipping_margin,
    {{ ratio("shipping_margin", "shipping_revenue") }} as margin_pct,
    subsidised_orders

  from summed

)

select * from final
