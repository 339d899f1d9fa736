{{ by_day() }}

with

attributed as (

  select * from {{ source('enriched', 'attributed_purchases') }}
  where {{ is_read('enriched.attributed_purchases') }}

),

counted as (

  select
    ingestion_dt,
    order_channel,
    count(*) as orders,
    {{ count_where("is_attributed") }} as attributed_orders,
    {{ count_where("is_recovered") }} as recovered_orders,
    {{ total("case when is_recovered then net_total end") }} as recovered_revenue,
    {{ mean_hours("hours_last_touch") }} as avg_hours_last_touch,
    {{ total("net_total") }} as net_revenue

  from attributed
  group by ingestion_dt, order_channel

),

final as (

  select
    {{ built_day('ingestion_dt') }} as ingestion_dt,
    order_channel,
    orders,
    attributed_orders,
    recovered_orders,
    {{ ratio("attributed_orders", "orders") }} as attribution_rate,
    {{ ratio("recovered_orders", "orders") }} as recovery_rate,
    recovered_revenue,
    avg_hours_last_touch,
    net_revenue

  from counted

)

select * from final
