{{ by_day() }}

with

lifetime_value as (

  select * from {{ source('enriched', 'customer_lifetime_value') }}
  where {{ is_read('enriched.customer_lifetime_value') }}

),

counted as (

  select
    ingestion_dt,
    customer_segment,
    actual_clv_bucket,
    count(*) as customers,
    {{ total("net_clv") }} as net_clv

  from lifetime_value
  group by ingestion_dt, customer_segment, actual_clv_bucket

),

of_day as (

  select
    ingestion_dt,
    sum(customers) as customers,
    sum(net_clv) as net_clv

  from counted
  group by ingestion_dt

),

final as (

  select
    {{ built_day('counted.ingestion_dt') }} as ingestion_dt,
    counted.customer_segment,
    counted.actual_clv_bucket,
    counted.customers,
    counted.net_clv,
    {{ money_mean("counted.net_clv", "counted.customers") }} as avg_clv,
    {{ ratio("counted.customers", "of_day.customers") }} as share_of_customers,
    {{ ratio("counted.net_clv", "of_day.net_clv") }} as share_of_clv

  from counted
  inner join of_day on counted.ingestion_dt = of_day.ingestion_dt

)

select * from final
