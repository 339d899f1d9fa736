{{ by_day() }}

with

performance as (

  select * from {{ source('enriched', 'product_performance') }}
  where {{ is_read('enriched.product_performance') }}

),

velocity as (

  select * from {{ source('enriched', 'sales_velocity') }}
  where {{ is_read('enriched.sales_velocity') }}

),

inventory as (

  select * from {{ source('enriched', 'inventory_risk') }}
  where {{ is_read('enriched.inventory_risk') }}

),

final as (

  select
    {{ built_day('ingestion_dt') }} as ingestion_dt,
    product_id,

    ---------- performance
    performance.units_sold,
    performance.net_sales,
    performance.gross_profit,
    performance.margin_pct,
    performance.units_returned,
    performance.refunds,
    performance.units_in_carts,
    performance.cart_to_order_rate,

    ---------- velocity
    velocity.units_day,
    velocity.velocity_7d,
    velocity.velocity_28d,
    velocity.trend_signal,
    velocity.forecast_7d,

    ---------- inventory
    inventory.inventory_quantity,
    inventory.days_of_cover,
    inventory.stockout_dt,
    inventory.is_stockout_risk,
    inventory.is_overstock,
    inventory.risk_tier

  from performance
  full outer join velocity using (ingestion_dt, product_id)
  full outer join inventory using (ingestion_dt, product_id)

)

select * from final
