{{ by_day() }}

with

carts as (

  select * from {{ source('enriched', 'cart_attribution') }}
  where {{ is_read('enriched.cart_attribution') }}

),

counted as (

  select
    ingestion_dt,
    count(*) as carts,
    {{ count_where("cart_status = 'converted'") }} as converted_carts,
    {{ count_where("cart_status = 'abandoned'") }} as abandoned_carts,
    {{ count_where("cart_status = 'open'") }} as open_carts,
    {{ count_where("cart_status = 'emptied'") }} as emptied_carts,
    {{ count_where("not is_final") }} = 0 as is_final,
    {{ total("abandoned_value") }} as abandoned_value,
    {{ mean_hours("hours_to_purchase") }} as avg_hours_to_purchase

  from carts
  group by ingestion_dt

),

final as (

  select
    {{ built_day('ingestion_dt') }} as ingestion_dt,
    carts,
    converted_carts,
    abandoned_carts,
    open_carts,
    emptied_carts,
    is_final,
    {{ ratio("converted_carts", "carts") }} as conversion_rate,
    case
      when is_final then {{ ratio("abandoned_carts", "abandoned_carts + converted_carts") }}
    end as abandonment_rate,
    abandoned_value,
    avg_hours_to_purchase

  from counted

)

select * from final
