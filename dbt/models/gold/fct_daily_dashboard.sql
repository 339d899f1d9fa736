{{ by_day() }}

with

daily as (

  select * from {{ source('enriched', 'daily_business_metrics') }}
  where {{ is_read('enriched.daily_business_metrics') }}

),

built as (

  select * from daily
  where {{ is_built() }}

),

last_seven as (

  select
    today.ingestion_dt,
    {{ ratio("sum(past.orders)", "count(*)") }} as orders_7d_avg,
    {{ money_mean("sum(past.net_revenue)", "count(*)") }} as net_revenue_7d_avg,
    {{ mean_rate("past.conversion_rate") }} as conversion_rate_7d_avg

  from built as today
  inner join daily as past
    on
      today.ingestion_dt >= past.ingestion_dt
      and past.ingestion_dt > {{ days_after("today.ingestion_dt", -7) }}
  group by today.ingestion_dt

),

final as (

  select
    {{ built_day('built.ingestion_dt') }} as ingestion_dt,
    built.orders,
    built.customers,
    built.new_customers,
    built.units,
    built.gross_revenue,
    built.discounts,
    built.net_revenue,
    built.avg_order_value,
    built.returns,
    built.refunds,
    built.net_after_refunds,
    built.carts,
    built.converted_carts,
    built.abandoned_carts,
    built.open_carts,
    built.emptied_carts,
    built.abandoned_value,
    built.conversion_rate,
    built.returns_per_order,
    built.shipping_margin,
    built.payment_fees,
    built.recovered_orders,

    ---------- means of seven days
    last_seven.orders_7d_avg,
    last_seven.net_revenue_7d_avg,
    last_seven.conversion_rate_7d_avg,

    ---------- against the week before
    {{ ratio("built.orders", "before.orders") }} - 1 as orders_wow,
    {{ ratio("built.net_revenue", "before.net_revenue") }} - 1 as net_revenue_wow,
    {{ ratio("built.conversion_rate", "before.conversion_rate") }} - 1 as conversion_rate_wow

  from built
  inner join last_seven on built.ingestion_dt = last_seven.ingestion_dt
  left join daily as before
    on before.ingestion_dt = {{ days_after("built.ingestion_dt", -7) }}

)

select * from final
