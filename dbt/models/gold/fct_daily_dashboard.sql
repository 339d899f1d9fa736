with

daily as (

  select * from {{ source('enriched', 'daily_business_metrics') }}

),

-- A mean of floats is summed day by day, in the order of the days.
last_seven as (

  select
    today.ingestion_dt,
    {{ ratio("sum(past.orders)", "count(*)") }} as orders_7d_avg,
    {{ money_mean("sum(past.net_revenue)", "count(*)") }} as net_revenue_7d_avg

  from daily as today
  inner join daily as past
    on past.ingestion_dt <= today.ingestion_dt
    and past.ingestion_dt > {{ dbt.dateadd("day", -7, "today.ingestion_dt") }}
  group by today.ingestion_dt

),

conversion as (

  select
    today.ingestion_dt,
    max(case when past.ingestion_dt = {{ dbt.dateadd("day", -0, "today.ingestion_dt") }} then past.conversion_rate end) as rate_0,
    max(case when past.ingestion_dt = {{ dbt.dateadd("day", -1, "today.ingestion_dt") }} then past.conversion_rate end) as rate_1,
    max(case when past.ingestion_dt = {{ dbt.dateadd("day", -2, "today.ingestion_dt") }} then past.conversion_rate end) as rate_2,
    max(case when past.ingestion_dt = {{ dbt.dateadd("day", -3, "today.ingestion_dt") }} then past.conversion_rate end) as rate_3,
    max(case when past.ingestion_dt = {{ dbt.dateadd("day", -4, "today.ingestion_dt") }} then past.conversion_rate end) as rate_4,
    max(case when past.ingestion_dt = {{ dbt.dateadd("day", -5, "today.ingestion_dt") }} then past.conversion_rate end) as rate_5,
    max(case when past.ingestion_dt = {{ dbt.dateadd("day", -6, "today.ingestion_dt") }} then past.conversion_rate end) as rate_6

  from daily as today
  inner join daily as past
    on past.ingestion_dt <= today.ingestion_dt
    and past.ingestion_dt > {{ dbt.dateadd("day", -7, "today.ingestion_dt") }}
  group by today.ingestion_dt

),

conversion_mean as (

  select
    ingestion_dt,
    (coalesce(rate_0, 0) + coalesce(rate_1, 0) + coalesce(rate_2, 0) + coalesce(rate_3, 0) + coalesce(rate_4, 0) + coalesce(rate_5, 0) + coalesce(rate_6, 0))
    / nullif(case when rate_0 is null then 0 else 1 end + case when rate_1 is null then 0 else 1 end + case when rate_2 is null then 0 else 1 end + case when rate_3 is null then 0 else 1 end + case when rate_4 is null then 0 else 1 end + case when rate_5 is null then 0 else 1 end + case when rate_6 is null then 0 else 1 end, 0)
      as conversion_rate_7d_avg

  from conversion

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
    conversion_mean.conversion_rate_7d_avg,

    ---------- against the week before
    {{ ratio("daily.orders", "before.orders") }} - 1 as orders_wow,
    {{ ratio("daily.net_revenue", "before.net_revenue") }} - 1 as net_revenue_wow,
    {{ ratio("daily.conversion_rate", "before.conversion_rate") }} - 1 as conversion_rate_wow

  from daily
  inner join last_seven on daily.ingestion_dt = last_seven.ingestion_dt
  inner join conversion_mean on daily.ingestion_dt = conversion_mean.ingestion_dt
  left join daily as before
    on before.ingestion_dt = {{ dbt.dateadd("day", -7, "daily.ingestion_dt") }}

)

select * from final
