with

daily as (

  select * from {{ source('enriched', 'daily_business_metrics') }}

),

last_seven as (

  select
    today.ingestion_dt,
    {{ ratio("sum(past.orders)", "count(*)") }} as orders_7d_avg,
    {{ money_mean("sum(past.net_revenue)", "count(*)") }} as net_revenue_7d_avg,
    {{ mean_rate("past.conversion_rate") }} as conversion_rate_7d_avg

  from daily as today
  inner join daily as past
    on
      today.ingestion_dt >= past.ingestion_dt
      and past.ingestion_dt > {{ days_after("today.ingestion_dt", -7) }}
  group by today.ingestion_dt

),

final as (

  select
    daily.ingestion_dt,
    daily.orders,
    daily.customers,
    daily.new_customers,
    daily.units,
    daily.gross_revenue,
    daily.discounts,
    daily.net_revenue,
    daily.avg_order_value,
    daily.returns,
    daily.refunds,
    daily.net_after_refunds,
    daily.carts,
    daily.converted_carts,
    daily.abandoned_carts,
    daily.open_carts,
    daily.emptied_carts,
    daily.abandoned_value,
    daily.conversion_rate,
    daily.returns_per_order,
    daily.shipping_margin,
    daily.payment_fees,
    daily.recovered_orders,

    ---------- means of seven days
    last_seven.orders_7d_avg,
    last_seven.net_revenue_7d_avg,
    last_seven.conversion_rate_7d_avg,

    ---------- against the week before
    {{ ratio("daily.orders", "before.orders") }} - 1 as orders_wow,
    {{ ratio("daily.net_revenue", "before.net_revenue") }} - 1 as net_revenue_wow,
    {{ ratio("daily.conversion_rate", "before.conversion_rate") }} - 1 as conversion_rate_wow

  from daily
  inner join last_seven on daily.ingestion_dt = last_seven.ingestion_dt
  left join daily as before
    on before.ingestion_dt = {{ days_after("daily.ingestion_dt", -7) }}

)

select * from final
