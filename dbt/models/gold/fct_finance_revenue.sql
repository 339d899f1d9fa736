{{ by_day() }}

with

regional as (

  select * from {{ source('enriched', 'regional_financials') }}
  where {{ is_read('enriched.regional_financials') }}

),

summed as (

  select
    ingestion_dt,
    region,
    {{ units("orders") }} as orders,
    {{ total("gross_revenue") }} as gross_revenue,
    {{ total("discounts") }} as discounts,
    {{ total("net_revenue") }} as net_revenue,
    {{ total("shipping_revenue") }} as shipping_revenue,
    {{ total("shipping_expense") }} as shipping_expense,
    {{ total("shipping_revenue - shipping_expense") }} as shipping_margin,
    {{ total("payment_fees") }} as payment_fees,
    {{ total("refunds") }} as refunds,
    {{ total("contribution") }} as contribution

  from regional
  group by ingestion_dt, region

),

final as (

  select
    {{ built_day('ingestion_dt') }} as ingestion_dt,
    region,
    orders,
    gross_revenue,
    discounts,
    net_revenue,
    shipping_revenue,
    shipping_expense,
    shipping_margin,
    payment_fees,
    refunds,
    contribution

  from summed

)

select * from final
