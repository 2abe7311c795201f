package hearth;

import java.lang.reflect.GenericArrayType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.util.HashMap;
import java.util.Map;

/** What the type variables of a class's supertypes stand for in it. */
final class Types {
    private final Map<TypeVariable<?>, Type> known = new HashMap<>();

    Types(Class<?> of) {
        learn(of);
    }

    private void learn(Class<?> c) {
        if (c == null) {
            return;
        }
        learn(c.getGenericSuperclass());
        for (Type t : c.getGenericInterfaces()) {
            learn(t);
        }
    }

    private void learn(Type t) {
        if (t instanceof ParameterizedType) {
            ParameterizedType p = (ParameterizedType) t;
            Class<?> raw = (Class<?>) p.getRawType();
            TypeVariable<?>[] variables = raw.getTypeParameters();
            for (int i = 0; i < variables.length; i++) {
                known.putIfAbsent(variables[i], p.getActualTypeArguments()[i]);
            }
            learn(raw);
        } else if (t instanceof Class) {
            learn((Class<?>) t);
        }
    }

    Type resolve(Type t) {
        if (t instanceof TypeVariable) {
            Type found = known.get(t);
            return found == null || found == t ? Object.class : resolve(found);
        }
        if (t instanceof WildcardType) {
            return resolve(((WildcardType) t).getUpperBounds()[0]);
        }
        if (t instanceof GenericArrayType) {
            return java.lang.reflect.Array.newInstance(raw(resolve(((GenericArrayType) t).getGenericComponentType())), 0).getClass();
        }
        if (t instanceof ParameterizedType) {
            ParameterizedType p = (ParameterizedType) t;
            Type[] arguments = p.getActualTypeArguments().clone();
            for (int i = 0; i < arguments.length; i++) {
                arguments[i] = resolve(arguments[i]);
            }
            return com.google.gson.reflect.TypeToken.getParameterized(p.getRawType(), arguments).getType();
        }
        return t;
    }

    static Class<?> raw(Type t) {
        if (t instanceof Class) {
            return (Class<?>) t;
        }
        if (t instanceof ParameterizedType) {
            return (Class<?>) ((ParameterizedType) t).getRawType();
        }
        return Object.class;
    }
}
