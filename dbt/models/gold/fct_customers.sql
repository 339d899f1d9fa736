with

lifetime_value as (

  select * from {{ source('enriched', 'customer_lifetime_value') }}
  where ingestion_dt = {{ newest_day(
    'enriched.customer_lifetime_value', source('enriched', 'customer_lifetime_value')
  ) }}

),

retention as (

  select * from {{ source('enriched', 'customer_retention_signals') }}
  where ingestion_dt = {{ newest_day(
    'enriched.customer_retention_signals', source('enriched', 'customer_retention_signals')
  ) }}

),

final as (

  select
    lifetime_value.ingestion_dt,
    lifetime_value.customer_id,

    ---------- lifetime value
    lifetime_value.is_guest,
    lifetime_value.signup_date,
    lifetime_value.first_order_dt,
    lifetime_value.last_order_dt,
    lifetime_value.order_count,
    lifetime_value.return_count,
    lifetime_value.gross_revenue,
    lifetime_value.net_revenue,
    lifetime_value.discount_total,
    lifetime_value.refund_total,
    lifetime_value.net_clv,
    lifetime_value.avg_order_value,
    lifetime_value.tenure_days,
    lifetime_value.days_since_last_order,
    lifetime_value.cohort_month,
    lifetime_value.cohort_size,
    lifetime_value.cohort_avg_clv,
    lifetime_value.customer_segment,
    lifetime_value.predicted_clv_bucket,
    lifetime_value.actual_clv_bucket,

    ---------- retention
    retention.loyalty_tier,
    retention.avg_days_between_orders,
    retention.expected_gap_days,
    retention.churn_risk,
    retention.orders_90d,
    retention.net_revenue_90d,
    retention.engagement_score,
    retention.is_in_danger_zone,
    retention.needs_bronze_nudge

  from lifetime_value
  left join retention on lifetime_value.customer_id = retention.customer_id

)

select * from final
